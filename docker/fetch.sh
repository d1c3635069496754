#!/bin/sh
# Fetch data and weights while an image is built, so that nothing has to be downloaded when it runs.
#
#   fetch.sh "REQUIRED NAMES" NAME …
#
# What can't be reached is left out with a word about it; where it is required, the build fails.
set -eu
required=" $1 "
shift
for name in "$@"; do
  if reconstruct data fetch "$name"; then
    continue
  fi
  case $required in
    *" $name "*)
      echo "$name is required and could not be fetched" >&2
      exit 1
      ;;
    *) echo "$name is left out: it is fetched when it is first needed" >&2 ;;
  esac
done
# Whoever runs the image may read it.
chmod -R a+rX "${XDG_CACHE_HOME:-$HOME/.cache}"/* 2> /dev/null || true
