import socket
import threading


def receiver(conn):
    while True:
        data = conn.recv(512)
        if data == b'':
            break
        print(data.decode())


name = input('Имя: ')
with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as conn:
    conn.connect(('localhost', 8001))
    conn.sendall(name.encode())
    threading.Thread(target=receiver, args=(conn,), daemon=True).start()
    print('Добро пожаловать! Пустая строка - выход')
    while True:
        text = input()
        if text == '':
            break
        conn.sendall(text.encode())
