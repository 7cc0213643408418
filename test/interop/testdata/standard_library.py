"""100,000 increments as lines, and as many as pipelined JSON-RPC 2.0 calls."""
import json
import socket
import sys
import threading

N = 100_000
path = sys.argv[1]

with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
    s.connect(path)
    with s.makefile("wb") as f:
        for _ in range(N):
            f.write(b"python.lines:1|c|#from:python\n")

with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
    s.connect(path)
    bad = []

    def read():
        answers = s.makefile("r", encoding="utf-8")
        for i in range(N):
            answer = json.loads(answers.readline())
            if answer != {"jsonrpc": "2.0", "id": i, "result": 0}:
                bad.append(answer)

    reader = threading.Thread(target=read)
    reader.start()
    with s.makefile("wb") as f:
        for i in range(N):
            request = {"jsonrpc": "2.0", "id": i, "method": "Metric.Handle",
                       "params": {"Text": "python.calls:1|c|#from:python"}}
            f.write(json.dumps(request).encode() + b"\n")
    reader.join()
    if bad:
        sys.exit(f"{len(bad)} bad answers, the first is {bad[0]}")
