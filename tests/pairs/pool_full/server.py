import socket
from concurrent.futures import ThreadPoolExecutor

connections = {}


def send(text, but):
    for conn in list(connections):
        if conn is not but:
            try:
                conn.sendall(text.encode('utf-8') + b'\n')
            except OSError:
                pass


def serve(conn):
    reader = conn.makefile(encoding='utf-8')
    name = None
    try:
        name = reader.readline().strip()
        if name:
            connections[conn] = name
            send(f'** {name} зашёл', conn)
            for line in reader:
                send(f'{name} | {line.strip()}', conn)
    except OSError:
        pass
    if connections.pop(conn, None):
        send(f'** {name} вышел', conn)
    conn.close()


pool = ThreadPoolExecutor(max_workers=3)
with socket.create_server(('127.0.0.1', 6700)) as server:
    while True:
        conn, addr = server.accept()
        pool.submit(serve, conn)
