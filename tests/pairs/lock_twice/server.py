import socket
import threading

lock = threading.Lock()
names = {}


def broadcast(text, sender):
    with lock:
        for conn in names:
            if conn is not sender:
                try:
                    conn.sendall(text.encode())
                except OSError:
                    pass


def remove(conn):
    with lock:
        name = names.pop(conn)
        broadcast(f'{name} вышел из чата', conn)
    conn.close()


def client(conn):
    try:
        name = conn.recv(1024).decode()
        if not name:
            return
        with lock:
            names[conn] = name
        broadcast(f'{name} вошёл в чат', conn)
        while True:
            data = conn.recv(1024)
            if not data:
                break
            broadcast(f'{name}: {data.decode()}', conn)
    except OSError:
        pass
    if conn in names:
        remove(conn)


server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(('127.0.0.1', 6400))
server.listen()
while True:
    conn, addr = server.accept()
    threading.Thread(target=client, args=(conn,), daemon=True).start()
