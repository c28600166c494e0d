import socket
import threading

clients = {}   # socket: name


def broadcast(text, sender):
    for c in clients:
        if c == sender:
            continue
        try:
            c.sendall(text.encode('utf-8'))
        except OSError:
            c.close()
            del clients[c]


def client_thread(conn, addr):
    name = conn.recv(2048).decode('utf-8')
    clients[conn] = name
    print(name, addr)
    broadcast('SERVER: ' + name + ' connected', conn)
    while True:
        try:
            data = conn.recv(2048)
        except OSError:
            data = b''
        if not data:
            break
        broadcast(name + ': ' + data.decode('utf-8'), conn)
    broadcast('SERVER: ' + name + ' disconnected', conn)
    conn.close()


def main():
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(('localhost', 12345))
    s.listen(5)
    print('Chat server started on port 12345')
    while True:
        conn, addr = s.accept()
        th = threading.Thread(target=client_thread, args=(conn, addr))
        th.daemon = True
        th.start()


main()
