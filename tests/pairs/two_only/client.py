import socket
import threading

sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
sock.connect(('localhost', 9999))


def get():
    while True:
        data = sock.recv(1024)
        if not data:
            break
        print(data.decode())


threading.Thread(target=get, daemon=True).start()
while True:
    text = input()
    if text == 'q':
        break
    sock.send(text.encode())
sock.close()
