#!/bin/sh
# Builds the image, starts it, and checks its answers to /verify and /enroll. Uses Docker if an engine runs. Without one it
# uses buildah, as root on Debian, with a base image made of Debian's packages. That tests the Dockerfile's steps, the user,
# the paths and the answers; it does not test the real base image, compose, or GPU access.
#
#   PHOTO1=a.jpg PHOTO2=b.jpg make image-check      (default: two LFW photos, where FACETWIN_DATA, ../shared/data or data holds them)
set -eu
PORT=${PORT:-8123}
work=$(mktemp -d)
trap 'cleanup' EXIT
. scripts/standin-images.sh
buildah="buildah --storage-driver $STORAGE_DRIVER"

cleanup() {
    [ -z "${server:-}" ] || kill "$server" 2>/dev/null || true
    [ -z "${started:-}" ] || docker rm -f "$started" >/dev/null
    [ -z "${container:-}" ] || $buildah rm "$container" >/dev/null
    rm -rf "$work"
}

if [ -z "${PHOTO1:-}" ]; then
    data=$(python3 -c 'from training.data.sets.lfw import find_data_folder; print(find_data_folder())')
    tar -C "$work" -xf "$data/lfw/lfw.tar" lfw/Aaron_Peirsol
    PHOTO1=$work/lfw/Aaron_Peirsol/Aaron_Peirsol_0001.jpg
    PHOTO2=$work/lfw/Aaron_Peirsol/Aaron_Peirsol_0002.jpg
fi

if docker info >/dev/null 2>&1; then
    docker build -t facetwin .
    docker run -i --rm facetwin sh -s <scripts/check-inside-image.sh
    started=$(docker run -d --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges:true -e FACETWIN_ALLOW_ANONYMOUS=true -p "127.0.0.1:$PORT:8000" facetwin)
else
    echo "No container engine is running. Building with buildah on a stand-in for the image of Python."
    need podman buildah debootstrap
    standin_python
    build_image facetwin
    container=$($buildah from --pull-never facetwin)
    $buildah run --isolation chroot "$container" -- sh -s <scripts/check-inside-image.sh
    $buildah run --isolation chroot "$container" -- env FACETWIN_HOST=127.0.0.1 FACETWIN_PORT="$PORT" facetwin serve >"$work/log" 2>&1 &
    server=$!
fi

for _ in $(seq 120); do
    curl -fs "http://127.0.0.1:$PORT/readyz" >/dev/null 2>&1 && break
    sleep 1
done
curl -fsS "http://127.0.0.1:$PORT/readyz" >/dev/null || { cat "$work/log" 2>/dev/null; exit 1; }
curl -fsS "http://127.0.0.1:$PORT/" | grep -q page/main.js
curl -fsS -F "image1=@$PHOTO1" -F "image2=@$PHOTO2" "http://127.0.0.1:$PORT/verify"
echo
curl -fsS -F "identity=ada" -F "image=@$PHOTO1" "http://127.0.0.1:$PORT/enroll" >/dev/null
curl -fsS "http://127.0.0.1:$PORT/identities" | grep -q '"ada"'
echo "The image answers /verify and stores enrollments."
