import socket
import threading

addr_list = {}


def client_work(c, a):
    who = f"{a[0]}:{a[1]}"
    for x in list(addr_list):
        x.send(f"{who} online".encode())
    addr_list[c] = who
    while True:
        try:
            m = c.recv(1024)
        except OSError:
            m = b""
        if not m:
            del addr_list[c]
            for x in list(addr_list):
                x.send(f"{who} offline".encode())
            return
        for x in list(addr_list):
            if x != c:
                x.send(f"{who} | {m.decode()}".encode())


s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", 5566))
s.listen()
print("ok")
while True:
    c, a = s.accept()
    threading.Thread(target=client_work, args=(c, a), daemon=True).start()
