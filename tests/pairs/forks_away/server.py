import os
import socket
import sys
import threading

if os.fork() > 0:
    print('Сервер запущен в фоне')
    sys.exit(0)
os.setsid()

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


server = socket.create_server(('localhost', 7500))
while True:
    conn, addr = server.accept()
    clients.append(conn)
    threading.Thread(target=handle, args=(conn,), daemon=True).start()
