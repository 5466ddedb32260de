#!/bin/sh
# One-shot: makes the CURVE keys and configuration files of the compose stack, once, in a shared volume.
# No key is shipped; removing the volume makes new ones.
#
# The volume holds the secret keys of the store and of both collectors, and each of these containers can read it
# all: enough for a stack on one machine. Elsewhere each program gets its own key and nothing else.
set -eu

folder=${MODELTRAIL_FOLDER:-/etc/modeltrail}
cd "$folder"
[ -e store.yaml ] && exit 0
# Without store.yaml, which is written last, nothing here is in use yet: what an interrupted run left begins anew,
# since keygen replaces no key.
rm -f store.key store.public c1.key c1.public c2.key c2.public store.yaml.new
modeltrail-store keygen store.key >store.public
for name in c1 c2; do
    modeltrail-collector keygen "$name.key" >"$name.public"
    cat >"$name.yaml" <<YAML
collector: $name
cluster: $name
store: ["tcp://store:7461"]
store_key: $(cat store.public)
key_file: $folder/$name.key
spool: /var/lib/modeltrail/$name.db
sources:
  - audit_log: {path: /recording/$name/audit.log, complete: true}
YAML
done
# Written last: it says that all the others are there.
cat >store.yaml.new <<YAML
listen: tcp://0.0.0.0:7461
key_file: $folder/store.key
collectors:
  - {name: c1, key: $(cat c1.public), cluster: c1}
  - {name: c2, key: $(cat c2.public), cluster: c2}
YAML
mv store.yaml.new store.yaml
