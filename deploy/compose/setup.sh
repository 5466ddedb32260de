#!/bin/sh
# One-shot: makes the CURVE keys and configuration files of the compose stack, once, in a shared volume.
# No key is shipped; removing the volume makes new ones.
set -eu

folder=/etc/modeltrail
cd "$folder"
[ -e store.yaml ] && exit 0
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
