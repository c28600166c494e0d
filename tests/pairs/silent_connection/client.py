import socket
import sys
import threading

name = input('Ваш никнейм: ')
conn = socket.create_connection(('localhost', 15000))
conn.sendall(name.encode('utf-8'))


def reading():
    while True:
        text = conn.recv(1024).decode('utf-8')
        if not text:
            break
        print(text)


threading.Thread(target=reading, daemon=True).start()
print('Можно писать. Чтобы выйти, нажмите Ctrl+D (в Windows Ctrl+Z и Enter)')
for line in sys.stdin:
    if line.strip():
        conn.sendall(line.strip().encode('utf-8'))
conn.close()
