#!/usr/bin/env python3
"""Records into a running hawkeye from Python 3, with its standard library alone.

    go run ./examples/nethttp -socket /tmp/hawkeye-demo/demo.sock     (one terminal)
    python3 examples/otherlanguages/record.py /tmp/hawkeye-demo/demo.sock
"""
import json
import socket
import sys

if len(sys.argv) != 2:
    sys.exit(__doc__)
path = sys.argv[1]


def lines():
    """Fire and forget: statsd lines. Nothing is answered, be it wrong."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.connect(path)
        for _ in range(100):
            s.sendall(b"jobs.done:1|c|#queue:mail,from:python\n")
        s.sendall(b"queue.depth:42|g|#from:python\n")
        s.sendall(b"job.time:320:210:95|ms|#from:python\n")  # three in one line


def calls():
    """JSON-RPC 2.0 on another connection: every call is answered, in order."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.connect(path)
        answers = s.makefile("r", encoding="utf-8")

        def call(id, method, **params):
            request = {"jsonrpc": "2.0", "id": id, "method": method, "params": params}
            s.sendall(json.dumps(request).encode() + b"\n")
            return json.loads(answers.readline())

        print(call(1, "Metric.Handle", Text="jobs.failed:1|c|#from:python"))
        print(call(2, "Metric.HandleBatch", Lines=["jobs.failed:2|c|#from:python"] * 10))
        # A mistake is told to its sender, and the next call is served.
        print(call(3, "Metric.Handle", Text="jobs.failed:oops|c"))
        print(call(4, "Metric.Ping"))


lines()
calls()
