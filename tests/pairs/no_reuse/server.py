import socket
import threading
import sys

PORT = 20001
if len(sys.argv) > 1:
    PORT = int(sys.argv[1])

clients = {}


def broadcast(msg, sender_name):
    for name in list(clients):
        if name != sender_name:
            try:
                clients[name].send(bytes(msg, 'utf8'))
            except Exception as e:
                print('Error:', e)


def client_handler(sock):
    name = str(sock.recv(1024), 'utf8')
    if name in clients or name == '':
        sock.send(b'ERROR: this name is taken')
        sock.close()
        return
    clients[name] = sock
    broadcast('%s entered the chat' % name, name)
    while True:
        try:
            msg = str(sock.recv(1024), 'utf8')
        except Exception as e:
            print('Error:', e)
            break
        if msg == '' or msg == 'exit':
            break
        broadcast('%s: %s' % (name, msg), name)
    clients.pop(name)
    broadcast('%s left the chat' % name, name)
    sock.close()


server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.bind(('', PORT))
server.listen(5)
print('Server is running, Ctrl+C to stop')
try:
    while True:
        sock, addr = server.accept()
        threading.Thread(target=client_handler, args=(sock,), daemon=True).start()
except KeyboardInterrupt:
    for sock in clients.values():
        sock.close()
    server.close()
