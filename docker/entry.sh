#!/bin/sh
# `docker run IMAGE train …` trains the image's part; `reconstruct …` and any other command run as they are.
set -eu
case ${1:-} in
  train | evaluate)
    command=$1
    shift
    exec reconstruct "$command" "$PART" "$@"
    ;;
  '') exec reconstruct --help ;;
  *) exec "$@" ;;
esac
