import socket
import threading

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


server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.bind(('localhost', 7200))
print('Сервер запущен')
while True:
    conn, addr = server.accept()
    clients.append(conn)
    threading.Thread(target=handle, args=(conn,), daemon=True).start()
