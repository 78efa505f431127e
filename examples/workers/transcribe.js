// SPDX-License-Identifier: MIT
// RNA of a sequence: a worker in Node.
const net = require('net');

const stream = new net.Socket({ fd: 3, readable: true, writable: true });
let data = Buffer.alloc(0);

function send(text) {
    const head = Buffer.alloc(4);
    head.writeInt32BE(Buffer.byteLength(text));
    stream.write(Buffer.concat([head, Buffer.from(text)]));
}

stream.on('data', (piece) => {
    data = Buffer.concat([data, piece]);
    while (data.length >= 4 && data.length >= 4 + data.readInt32BE(0)) {
        const end = 4 + data.readInt32BE(0);
        const task = data.subarray(4, end).toString();
        data = data.subarray(end);
        send('+' + task.replaceAll('T', 'U'));
    }
});
send('remuda 1 raw');
