import threading
import socket
from chat_utils import recv_message, send_message

clients = []
server = socket.create_server(('localhost', 7600))


def handle(conn):
    name = recv_message(conn)
    while True:
        text = recv_message(conn)
        if text is None:
            break
        for c in clients:
            if c != conn:
                send_message(c, f'{name}: {text}')
    clients.remove(conn)


while True:
    conn, addr = server.accept()
    clients.append(conn)
    threading.Thread(target=handle, args=(conn,), daemon=True).start()
