import socket
import threading

s = socket.socket()
s.connect(("127.0.0.1", 5566))


def get():
    while True:
        m = s.recv(1024)
        if not m:
            break
        print(m.decode())


threading.Thread(target=get, daemon=True).start()
while True:
    s.send(input().encode())
