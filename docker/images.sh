#!/bin/sh
# Build images and try each from within: images.sh [IMAGE …]; all four where none is named.
#
#   DOCKER    the engine: docker (the default), podman, …
#   TORCH     cpu (the default) or cuda
#   REQUIRED  data without which a build fails, "mnist smollm2-135m" say; what else can't be fetched is left out
#   KEEP_SIZES=yes   writes the size into docker/README.md
set -eu
cd "$(dirname "$0")/.."
engine=${DOCKER:-docker}
if ! command -v "$engine" > /dev/null 2>&1; then
  echo "there is no $engine here: install Docker, or name another engine: make images DOCKER=podman" >&2
  exit 2
fi
[ "$#" -gt 0 ] || set -- generic vit llama book
for image in "$@"; do
  tag=reconstructing-transformer/$image
  echo "==> $tag"
  "$engine" build --build-arg "TORCH=${TORCH:-cpu}" --build-arg "REQUIRED=${REQUIRED:-}" \
    --file "docker/$image/Dockerfile" --tag "$tag" .
  "$engine" run --rm --entrypoint /opt/docker/smoke.sh "$tag" "$image"
  size=$("$engine" image inspect --format '{{.Size}}' "$tag")
  echo "<== $tag: $size bytes"
  if [ "${KEEP_SIZES:-}" = yes ]; then python3 docker/sizes.py "$image" "$size"; fi
done
