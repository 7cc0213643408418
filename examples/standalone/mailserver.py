"""A mail server that takes everything and prints it."""
import socketserver


class Session(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"220 test\r\n")
        while line := self.rfile.readline().decode().strip():
            if line == "QUIT":
                self.wfile.write(b"221 bye\r\n")
                print(line, flush=True)
                return
            if line != "DATA":
                self.wfile.write(b"250 fine\r\n")
                continue
            self.wfile.write(b"354 go on\r\n")
            while (text := self.rfile.readline().decode().rstrip("\r\n")) != ".":
                print(text)
            self.wfile.write(b"250 taken\r\n")


with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session) as server:
    server.daemon_threads = True
    print("listening on", server.server_address[1], flush=True)
    server.serve_forever()
