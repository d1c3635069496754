"""Exit with 0 where JupyterLab answers on the loopback: health.py [PORT [TOKEN]]."""

import json
import sys
import urllib.request

port = sys.argv[1] if len(sys.argv) > 1 else "8888"
headers = {"Authorization": f"token {sys.argv[2]}"} if len(sys.argv) > 2 else {}
request = urllib.request.Request(f"http://127.0.0.1:{port}/api", headers=headers)
try:
    with urllib.request.urlopen(request, timeout=5) as answer:
        sys.exit(0 if "version" in json.load(answer) else 1)
except OSError as error:
    sys.exit(f"JupyterLab does not answer: {error}")
