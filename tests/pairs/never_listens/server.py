import socket
import threading
import time

server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.bind(('localhost', 7300))
clients = []


def handle(conn):
    while True:
        data = conn.recv(1024)
        if not data:
            break
        for c in clients:
            if c != conn:
                c.send(data)
    clients.remove(conn)


def accept_clients():
    while True:
        conn, addr = server.accept()
        clients.append(conn)
        threading.Thread(target=handle, args=(conn,), daemon=True).start()


threading.Thread(target=accept_clients, daemon=True).start()
print('Сервер работает')
while True:
    time.sleep(1)
