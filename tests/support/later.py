"""A copy of a database in which time has passed: all that is stored lies further back, so that a test need not wait
out the three minutes which a live answer is granted."""

import subprocess
from datetime import timedelta

from .postgres import Database, PsqlError

_SHIFT = """
    DO $$
    DECLARE
        one record;
    BEGIN
        FOR one IN SELECT a.attrelid::regclass AS place, string_agg(format('%%I = %%I - interval ''%(by)s''',
                          a.attname, a.attname), ', ') AS changes
                   FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
                   WHERE c.relnamespace = 'modeltrail'::regnamespace AND c.relkind = 'r'
                     AND a.atttypid = 'timestamptz'::regtype AND NOT a.attisdropped GROUP BY 1 LOOP
            EXECUTE format('ALTER TABLE %%s DISABLE TRIGGER USER', one.place); -- the log is append-only
            EXECUTE format('UPDATE %%s SET %%s', one.place, one.changes);
        END LOOP;
    END $$;
    UPDATE modeltrail.mark SET epoch = epoch - %(ms)s WHERE collector <> '_store';
    UPDATE modeltrail.mark SET through = (
        SELECT jsonb_agg(look || jsonb_build_object(
                   'watched_since', (look ->> 'watched_since')::timestamptz - interval '%(by)s',
                   'through', (look ->> 'through')::timestamptz - interval '%(by)s'))
        FROM jsonb_array_elements(through) look)
    WHERE jsonb_typeof(through) = 'array' AND jsonb_array_length(through) > 0;
    UPDATE modeltrail.mark SET seen_at = now() WHERE collector = ANY ('{%(alive)s}');
"""


def copy_later(database, name, by=timedelta(minutes=4), alive=()) -> Database:
    """The database as it would be `by` later if nothing more happened but that the `alive` collectors (`_store` for
    the stores) went on to be heard. The caller drops it."""
    cluster = database.cluster
    copy = cluster.create_database(name)
    dump = subprocess.run([cluster.bindir / "pg_dump", database.name], env=cluster.env(database.name),
                          capture_output=True, text=True)
    if dump.returncode != 0:
        raise PsqlError(dump.stderr)
    copy.psql(dump.stdout)
    copy.psql(_SHIFT % {"by": f"{by.total_seconds()} seconds", "ms": int(by.total_seconds() * 1000),
                        "alive": ",".join(alive)})
    return copy
