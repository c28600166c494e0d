import socket
import threading

users = []


def send_all(text, me):
    for conn in users:
        if conn is not me:
            conn.sendall(text.encode('utf-8'))


def serve(conn):
    name = ''
    try:
        name = conn.recv(1024).decode('utf-8')
        if name:
            users.append(conn)
            send_all(f'+ {name} пришёл', conn)
        while name:
            data = conn.recv(1024)
            if not data:
                break
            send_all(f'{name}: {data.decode("utf-8")}', conn)
    except ConnectionResetError:
        pass
    if name:
        send_all(f'- {name} ушёл', conn)
    conn.close()


server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(('127.0.0.1', 6500))
server.listen()
while True:
    conn, addr = server.accept()
    threading.Thread(target=serve, args=(conn,), daemon=True).start()
