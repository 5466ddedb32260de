"""`kubectl apply -f FILE` for machines without kubectl: each document is sent as a server-side apply.

As a program it takes its cluster from KUBECONFIG, in the form that support.kube writes, and knows `apply` alone.
"""

import os
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import yaml  # noqa: E402
from support.kube_client import Client  # noqa: E402


def path_of(client: Client, manifest: dict) -> str:
    """Where the API server has the object, as its discovery tells."""
    version, meta = manifest["apiVersion"], manifest["metadata"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    code, found = client.request("GET", root)
    assert code == 200, found
    [resource] = [each for each in found["resources"] if each["kind"] == manifest["kind"] and "/" not in each["name"]]
    place = f"/namespaces/{meta['namespace']}" if resource["namespaced"] else ""
    return f"{root}{place}/{resource['name']}/{meta['name']}"


def apply(client: Client, text: str) -> None:
    for manifest in filter(None, yaml.safe_load_all(text)):
        code, body = client.request("PATCH", path_of(client, manifest), manifest, "application/apply-patch+yaml",
                                    fieldManager="kubectl", force="true")
        if code not in (200, 201):
            sys.exit(f"{manifest['kind']}/{manifest['metadata']['name']}: {body.get('message')}")
        print(f"{manifest['kind']}/{manifest['metadata']['name']} applied")


def put_on_path(folder: Path) -> str:
    """A PATH that has a kubectl: the machine's, or this one in `folder`."""
    if not shutil.which("kubectl"):
        folder.mkdir()
        (folder / "kubectl").write_text(f'#!/bin/sh\nexec "{sys.executable}" "{__file__}" "$@"\n')
        (folder / "kubectl").chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def main() -> None:
    verb, flag, source = sys.argv[1:]
    assert (verb, flag) == ("apply", "-f"), f"only apply -f is known, not {verb} {flag}"
    config = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text())
    cluster = config["clusters"][0]["cluster"]
    client = Client(cluster["server"], config["users"][0]["user"]["token"], cluster["certificate-authority"])
    apply(client, sys.stdin.read() if source == "-" else Path(source).read_text())


if __name__ == "__main__":
    main()
