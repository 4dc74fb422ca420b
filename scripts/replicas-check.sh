#!/bin/sh
# Starts what `docker compose --profile scale up balancer` starts, sends requests through nginx, kills a replica with
# SIGKILL under load, and says what the clients saw: scripts/replicas. Needs no container engine's daemon: it runs as root
# on Debian with podman and crun, also where there are no image registries, cgroups or systemd. The images are then made of
# Debian's packages: Python of bookworm, PostgreSQL 17 with pgvector of trixie, nginx of sid. That tests the Dockerfile's
# steps, the compose file's options and commands, and nginx' configuration; it does not test the images that compose would
# pull, nor Docker's network.
#
#   make replicas-check        (needs LFW's photos, as image-check does; SECONDS_OF_LOAD=60)
set -eu
cd "$(dirname "$0")/.."
. scripts/standin-images.sh

need podman crun buildah debootstrap netavark
standin_python
standin_postgres
standin_nginx
build_image facetwin:scale --build-arg EXTRA=postgres

# crun refuses machines whose cgroups are of both versions. In a namespace of mounts of our own they are of one.
exec unshare --mount sh -c '
    umount -R -l /sys/fs/cgroup 2>/dev/null || true
    mount -t cgroup2 none /sys/fs/cgroup
    exec .venv/bin/python -u -m scripts.replicas --seconds "$1" --image postgres=localhost/facetwin-standin-postgres \
        --image balancer=localhost/facetwin-standin-nginx --image replica=localhost/facetwin:scale
' replicas "${SECONDS_OF_LOAD:-60}"
