import socket
import threading

conn = socket.socket()
conn.connect(('127.0.0.1', 6400))


def reader():
    while True:
        data = conn.recv(1024)
        if not data:
            break
        print(data.decode())


conn.send(input('Ваше имя: ').encode())
threading.Thread(target=reader, daemon=True).start()
while True:
    text = input()
    if text == 'выход':
        break
    if text:
        conn.send(text.encode())
conn.close()
