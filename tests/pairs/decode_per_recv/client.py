import socket
import sys
import threading

sock = socket.create_connection(('localhost', 5700))
print('Login: ', end='', flush=True)
sock.sendall(sys.stdin.readline().encode())


def show():
    text = ''
    while True:
        part = sock.recv(1000).decode()
        if not part:
            break
        text += part
        while '\n' in text:
            line, text = text.split('\n', 1)
            print(line)


threading.Thread(target=show, daemon=True).start()
while True:
    line = sys.stdin.readline()
    if line == '' or line == '\n':     # пустая строка - выход
        break
    sock.sendall(line.encode())
sock.close()
