import socket
import threading
from chat_utils import recv_message, send_message

sock = socket.create_connection(('localhost', 7600))


def receive():
    while True:
        text = recv_message(sock)
        if text is None:
            break
        print(text)


send_message(sock, input('Имя: '))
threading.Thread(target=receive, daemon=True).start()
while True:
    send_message(sock, input())
