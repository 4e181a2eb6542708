"""Keys, certificates and image signatures as Glance's users make them, by Python's cryptography, each verified by
OpenStack's own cursive; the binary curves, which Python has no more, by the openssl command where it has them.

signer.py all DIR FILE   one self-signed certificate per key type, DIR/<key type>.pem; root.pem <- middle.pem <- leaf.pem,
                         expired.pem (of the leaf's key), stranger.pem (another root of that name); prints the signatures of FILE
                         as JSON: {key type or "leaf": {hash: signature}}
signer.py store AUTH_URL BARBICAN TYPE FILE [USER PROJECT]   keeps FILE at Barbican as this user's (nova's), as a secret of this
                         type, in bytes, which is what castellan takes, or as text: text:certificate; prints its id
"""
import base64
import datetime
import json
import pathlib
import subprocess
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa
from cryptography.x509.oid import NameOID

BINARY = ['ECC_SECT409K1', 'ECC_SECT409R1', 'ECC_SECT571K1', 'ECC_SECT571R1']
HASHES = {'SHA-224': hashes.SHA224(), 'SHA-256': hashes.SHA256(), 'SHA-384': hashes.SHA384(), 'SHA-512': hashes.SHA512()}
NEW = {
    'RSA-PSS': lambda: rsa.generate_private_key(65537, 2048),
    'DSA': lambda: dsa.generate_private_key(2048),
    'ECC_SECP384R1': lambda: ec.generate_private_key(ec.SECP384R1()),
    'ECC_SECP521R1': lambda: ec.generate_private_key(ec.SECP521R1()),
}


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, 'Larder'), x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certify(subject, key, issuer, issuer_key, days=(-1, 3650), path=None, ca=False):
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    it = (x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name(issuer)).public_key(key.public_key())
          .serial_number(x509.random_serial_number())
          .not_valid_before(now + datetime.timedelta(days=days[0])).not_valid_after(now + datetime.timedelta(days=days[1])))
    if ca:
        it = it.add_extension(x509.BasicConstraints(True, path), True).add_extension(x509.KeyUsage(
            False, False, False, False, False, True, True, False, False), True)
    return it.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def private(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def keys(folder):
    made = []
    for kind, new in NEW.items():
        key = new()
        (folder / f'{kind}.key').write_bytes(private(key))
        (folder / f'{kind}.pem').write_bytes(certify(kind, key, kind, key))
        made.append(kind)
    for kind in BINARY:
        done = subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:' + kind[4:].lower(),
                               '-nodes', '-sha256', '-days', '3650', '-subj', '/CN=' + kind,
                               '-keyout', folder / f'{kind}.key', '-out', folder / f'{kind}.pem'], capture_output=True)
        if done.returncode == 0:
            made.append(kind)
    return made


def authority(folder):
    root, middle, leaf = (rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1()),
                          ec.generate_private_key(ec.SECP384R1()))
    made = {
        'root': certify('Root', root, 'Root', root, path=1, ca=True),
        'middle': certify('Middle', middle, 'Root', root, path=0, ca=True),
        'leaf': certify('Leaf', leaf, 'Middle', middle),
        'expired': certify('Leaf', leaf, 'Middle', middle, days=(-30, -1)),
        'stranger': certify('Root', middle, 'Root', middle, ca=True),
    }
    for which, pem in made.items():
        (folder / f'{which}.pem').write_bytes(pem)
    (folder / 'leaf.key').write_bytes(private(leaf))


def sign(path, kind, hash_name, data):
    if kind in BINARY:
        made = subprocess.run(['openssl', 'dgst', '-' + hash_name.replace('-', '').lower(), '-sign', path], input=data,
                              check=True, capture_output=True).stdout
        return base64.b64encode(made).decode()
    key = serialization.load_pem_private_key(pathlib.Path(path).read_bytes(), None)
    algorithm = HASHES[hash_name]
    if kind == 'RSA-PSS':
        made = key.sign(data, padding.PSS(padding.MGF1(algorithm), padding.PSS.MAX_LENGTH), algorithm)
    elif kind == 'DSA':
        made = key.sign(data, algorithm)
    else:
        made = key.sign(data, ec.ECDSA(algorithm))
    return base64.b64encode(made).decode()


def verify(path, kind, hash_name, signature, data):
    from cursive import signature_utils as cursive
    certificate = x509.load_pem_x509_certificate(pathlib.Path(path).read_bytes())
    cursive.get_certificate = lambda context, uuid: certificate
    verifier = cursive.get_verifier(None, 'any', hash_name, signature, kind)
    verifier.update(data)
    verifier.verify()


def all(folder, path):
    folder, data = pathlib.Path(folder), pathlib.Path(path).read_bytes()
    made = {}
    for kind in keys(folder):
        made[kind] = {name: sign(folder / f'{kind}.key', kind, name, data) for name in HASHES}
        if kind in NEW:
            for name, signature in made[kind].items():
                verify(folder / f'{kind}.pem', kind, name, signature, data)
    authority(folder)
    made['leaf'] = {name: sign(folder / 'leaf.key', 'ECC_SECP384R1', name, data) for name in HASHES}
    return json.dumps(made)


def store(auth_url, barbican, kind, path, user='nova', project='service'):
    from barbicanclient import client
    from keystoneauth1 import session
    from keystoneauth1.identity import v3
    login = v3.Password(auth_url=auth_url, username=user, password='secret', project_name=project,
                        user_domain_id='default', project_domain_id='default')
    secrets = client.Client(session=session.Session(auth=login), endpoint=barbican).secrets
    as_text, path = kind.startswith('text:'), pathlib.Path(path)
    payload = path.read_text() if as_text else path.read_bytes()
    made = secrets.create(name='signer', secret_type=kind.removeprefix('text:'), payload=payload)
    return made.store().rsplit('/', 1)[1]


if __name__ == '__main__':
    print(globals()[sys.argv[1]](*sys.argv[2:]))
