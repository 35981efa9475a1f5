// peer.cjs FOLDER: @phala/dcap-qvl (npm) on the quotes and the collateral that avouch-mint wrote into FOLDER: one JSON
// line like those of the other benches. It verifies everything anew each time: compare with "nothing known".
'use strict';
const fs = require('fs');
const path = require('path');
const { QuoteVerifier } = require('@phala/dcap-qvl/src/verify');

const at = process.argv[2];
const read = (name) => fs.readFileSync(path.join(at, 'collateral', name));
// The signature covers the text as it was written: cut out, never printed again.
function signed(name, member) {
    const text = read(name).toString('utf8');
    const from = text.indexOf('{', text.indexOf(`"${member}"`));
    const whole = JSON.parse(text);
    let depth = 0, to = from, quoted = false;
    do {
        const c = text[to++];
        if (quoted) {
            if (c === '\\') to++;
            else if (c === '"') quoted = false;
        } else if (c === '"') quoted = true;
        else if (c === '{') depth++;
        else if (c === '}') depth--;
    } while (depth > 0);
    return { text: text.slice(from, to), signature: whole.signature };
}
const tcb = signed('tcb-info.json', 'tcbInfo');
const qe = signed('qe-identity.json', 'enclaveIdentity');
const chain = read('tcb-signing.pem').toString('utf8');
const der = (pem) => Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
const root = fs.readFileSync(path.join(at, 'trust', 'root.pem'), 'utf8');
const collateral = {
    tcb_info: tcb.text, tcb_info_signature: tcb.signature, tcb_info_issuer_chain: chain,
    qe_identity: qe.text, qe_identity_signature: qe.signature, qe_identity_issuer_chain: chain,
    root_ca_crl: read('root.crl'), pck_crl: read('pck.crl'),
};
const quotes = fs.readFileSync(path.join(at, 'sample', 'requests.jsonl'), 'utf8').trim().split('\n')
    .map((line) => Buffer.from(JSON.parse(line).quote, 'base64url'));
const verifier = QuoteVerifier.newWithRootCa(der(root));
const now = Date.now() / 1000;
const times = [];
let status;

for (let i = 0; i < 20; i++) verifier.verify(quotes[i % quotes.length], collateral, now); // compiled before it counts
for (let i = 0, end = Date.now() + 5000; Date.now() < end; i++) {
    const begun = process.hrtime.bigint();
    status = verifier.verify(quotes[i % quotes.length], collateral, now).status;
    times.push(Number(process.hrtime.bigint() - begun) / 1000);
}
times.sort((a, b) => a - b);
const median = times[Math.floor(times.length / 2)];
const floor = Number(process.argv[3]) || null;
console.log(JSON.stringify({ name: `peer: @phala/dcap-qvl, everything anew (${status})`, value: Math.round(median * 1000) / 1000, unit: 'us',
    floor, ratio: floor ? Math.round(median / floor * 1000) / 1000 : null, n: times.length }));
