import socket
import threading

HOST = '127.0.0.1'
PORT = 9090

clients = {}


def broadcast(text, sender=None):
    for c in list(clients):
        if c != sender:
            try:
                c.send(text.encode())
            except OSError:
                pass


def handle(conn):
    name = conn.recv(1024).decode()
    broadcast(f'{name} вошел в чат')
    clients[conn] = name
    while True:
        try:
            data = conn.recv(1024)
            if data:
                print(f'{name}: {data.decode()}')
                broadcast(f'{name}: {data.decode()}', conn)
        except ConnectionError:
            del clients[conn]
            broadcast(f'{name} вышел из чата')
            break


server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind((HOST, PORT))
server.listen()
print('Сервер запущен')
while True:
    conn, addr = server.accept()
    print('Подключился', addr)
    threading.Thread(target=handle, args=(conn,), daemon=True).start()
