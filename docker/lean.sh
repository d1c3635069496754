#!/bin/sh
# Say what an image holds that it need not: compilers, caches, indices of packages. Exit code 1 where there is any.
set -eu
found=0
complain() {
  echo "not lean: $*" >&2
  found=1
}
for tool in gcc g++ cc c++ clang make-dfsg rustc; do
  if command -v "$tool" > /dev/null 2>&1; then complain "the compiler $(command -v "$tool")"; fi
done
if [ -n "$(find /var/lib/apt/lists -type f 2> /dev/null | head -n 1)" ]; then complain "apt's index in /var/lib/apt/lists"; fi
if [ -n "$(find /var/cache/apt -type f -name '*.deb' 2> /dev/null | head -n 1)" ]; then complain "packages in /var/cache/apt"; fi
for folder in /root/.cache /root/.npm /home/*/.cache/pip /home/*/.npm /cache/pip; do
  if [ -d "$folder" ] && [ -n "$(find "$folder" -type f 2> /dev/null | head -n 1)" ]; then complain "a cache in $folder"; fi
done
exit "$found"
