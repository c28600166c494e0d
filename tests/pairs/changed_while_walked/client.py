import socket
import threading
import sys


def get(s):
    while True:
        data = s.recv(2048)
        if not data:
            print('Disconnected')
            return
        print(data.decode('utf-8'))


def main():
    name = input('Enter your name: ')
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.connect(('localhost', 12345))
    s.sendall(name.encode('utf-8'))
    th = threading.Thread(target=get, args=(s,))
    th.daemon = True
    th.start()
    print('Type exit to leave')
    for line in sys.stdin:
        line = line.strip()
        if line == 'exit':
            break
        s.sendall(line.encode('utf-8'))
    s.close()


main()
