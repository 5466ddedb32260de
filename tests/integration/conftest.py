"""What integration tests share."""

import tempfile
import shutil
from pathlib import Path

import pytest
from integration.attribution_telling import Telling
from support.kube import Cluster


@pytest.fixture(scope="session")
def telling(kube_assets, postgres):
    """The stories of attribution, told once at all levels of access. Read only."""
    folder = Path(tempfile.mkdtemp(prefix="modeltrail-telling-"))
    database = postgres.create_database("telling")
    clusters = []

    def new_cluster(name, **options):
        clusters.append(Cluster(kube_assets, folder / name, name, **options))
        return clusters[-1].start()

    told = None
    try:
        told = Telling(new_cluster, database, folder)
        yield told.tell()
    finally:
        if told:
            told.system.stop()
        for cluster in clusters:
            cluster.stop()
        database.drop()
        shutil.rmtree(folder, ignore_errors=True)
