#!/usr/bin/env bash
# Records into a running hawkeye from a shell, with socat or an nc that knows
# unix sockets (Debian: netcat-openbsd).
#
#     go run ./examples/nethttp -socket /tmp/hawkeye-demo/demo.sock     (one terminal)
#     bash examples/otherlanguages/record.sh /tmp/hawkeye-demo/demo.sock
set -euo pipefail
sock=${1:?usage: record.sh SOCKET}

# send passes standard input to the socket and prints what is answered until
# the server has closed its side.
send() {
	if command -v socat >/dev/null; then
		socat -t 5 - "UNIX-CONNECT:$sock"
	else
		nc -N -U "$sock" # -N: say that nothing more comes
	fi
}

# Statsd lines: many in one connection, which is closed at the end.
for _ in {1..100}; do
	echo 'jobs.done:1|c|#queue:mail,from:bash'
done | send
printf 'queue.depth:42|g|#from:bash\njob.time:320:210:95|ms|#from:bash\n' | send

# JSON-RPC 2.0: answered, in order. The third has a mistake in it.
send <<'REQUESTS'
{"jsonrpc":"2.0","id":1,"method":"Metric.Handle","params":{"Text":"jobs.failed:1|c|#from:bash"}}
{"jsonrpc":"2.0","id":2,"method":"Metric.HandleBatch","params":{"Lines":["jobs.failed:19|c|#from:bash","jobs.failed:1|c|#from:bash"]}}
{"jsonrpc":"2.0","id":3,"method":"Metric.Handle","params":{"Text":"jobs.failed:oops|c"}}
{"jsonrpc":"2.0","id":4,"method":"Metric.Ping"}
REQUESTS
