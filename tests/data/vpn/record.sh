#!/bin/bash
# Record the captures of this folder anew: real tools, two network namespaces of their own, nothing leaves them.
# Needs root and Debian's wireguard-go wireguard-tools openvpn strongswan strongswan-swanctl libcharon-extra-plugins
# libstrongswan-extra-plugins openssh-server ocserv openconnect shadowsocks-libev openssl curl tcpdump ethtool.
# usage: record.sh [CAPTURE ...]
set -u
HERE=$(cd "$(dirname "$0")" && pwd); W=$(mktemp -d /tmp/vpnd-XXXXXX); cd "$W" || exit 1
C="ip netns exec vpnd-c"; S="ip netns exec vpnd-s"
down() {
  for n in vpnd-c vpnd-s; do for p in $(ip netns pids $n 2>/dev/null); do kill "$p" 2>/dev/null; done; done; sleep .5
  for n in vpnd-c vpnd-s; do for p in $(ip netns pids $n 2>/dev/null); do kill -9 "$p" 2>/dev/null; done; done
}
gone() { down; for n in vpnd-c vpnd-s; do ip netns del $n 2>/dev/null; done; rm -rf "$W"; }
trap gone EXIT
for n in vpnd-c vpnd-s; do ip netns add $n; ip -n $n link set lo up; done
ip -n vpnd-c link add vpnd0 type veth peer name vpnd1 netns vpnd-s
ip -n vpnd-c addr add 10.0.0.1 peer 203.0.113.5 dev vpnd0; ip -n vpnd-s addr add 203.0.113.5 peer 10.0.0.1 dev vpnd1
ip -n vpnd-c link set vpnd0 up; ip -n vpnd-s link set vpnd1 up
$C ethtool -K vpnd0 tx off rx off tso off gso off gro off >/dev/null; $S ethtool -K vpnd1 tx off rx off tso off gso off gro off >/dev/null
begin() { # NAME FILTER
  echo "== $1"; $C tcpdump --immediate-mode -Z root -i vpnd0 -U -w "$W/$1.pcap" -s 0 "$2" >/dev/null 2>&1 & CAP=$!; sleep .8; }
end() { # NAME PACKETS: the first so many are kept
  sleep .5; kill $CAP 2>/dev/null; wait $CAP 2>/dev/null; down; tcpdump -r "$W/$1.pcap" -c "$2" -w "$HERE/$1.pcap" 2>/dev/null; }
ready() { # up to 10 s for a ping through the tunnel, then more of them
  for _ in $(seq 40); do $C ping -q -c 1 -W 1 -s 16 "$1" >/dev/null 2>&1 && break; sleep .25; done
  $C ping -q -c "${2:-20}" -i .05 -s 16 "$1" | tail -2; }

# throw-away keys
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.crt -days 3650 -subj /CN=ca.example 2>/dev/null
for who in server client; do
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $who.key -out $who.csr -subj /CN=$who.example 2>/dev/null
  openssl x509 -req -in $who.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 3650 -out $who.crt \
    -extfile <(echo "subjectAltName=DNS:vpn.example,IP:203.0.113.5") 2>/dev/null
done

wireguard() {
  wg genkey | tee s.wg | wg pubkey > s.pub; wg genkey | tee c.wg | wg pubkey > c.pub
  printf '[Interface]\nPrivateKey=%s\nListenPort=51820\n[Peer]\nPublicKey=%s\nAllowedIPs=10.8.0.2/32\n' "$(cat s.wg)" "$(cat c.pub)" > s.conf
  printf '[Interface]\nPrivateKey=%s\n[Peer]\nPublicKey=%s\nEndpoint=203.0.113.5:51820\nAllowedIPs=10.8.0.0/24\nPersistentKeepalive=25\n' "$(cat c.wg)" "$(cat s.pub)" > c.conf
  begin wireguard udp
  $S wireguard-go -f vpndwgs >s.log 2>&1 & $C wireguard-go -f vpndwgc >c.log 2>&1 & sleep .7
  $S wg setconf vpndwgs s.conf; $S ip addr add 10.8.0.1/24 dev vpndwgs; $S ip link set vpndwgs up
  $C ip addr add 10.8.0.2/24 dev vpndwgc; $C ip link set vpndwgc up; $C wg setconf vpndwgc c.conf
  ready 10.8.0.1 6; end wireguard 16; }

openvpns() { # NAME FILTER "SERVER'S WORDS" "CLIENT'S WORDS"
  begin "$1" "$2"
  $S openvpn --dev tun --topology subnet --server 10.9.0.0 255.255.255.0 --ca ca.crt --cert server.crt --key server.key --dh none \
     --keepalive 10 60 --data-ciphers AES-256-GCM --disable-dco --verb 3 $3 >s.log 2>&1 & sleep .7
  $C openvpn --client --nobind --dev tun --ca ca.crt --cert client.crt --key client.key --data-ciphers AES-256-GCM --disable-dco --verb 3 $4 >c.log 2>&1 &
  ready 10.9.0.1 20; end "$1" "${5:-24}"; }
openvpn_keys() { openvpn --genkey secret ta.key; openvpn --genkey tls-crypt-v2-server tc2s.key; openvpn --tls-crypt-v2 tc2s.key --genkey tls-crypt-v2-client tc2c.key; }
R="--remote 203.0.113.5"
openvpn-udp()          { openvpns openvpn-udp udp "--proto udp" "--proto udp $R 1194" 60; }
openvpn-tcp()          { openvpns openvpn-tcp tcp "--proto tcp-server --port 443" "--proto tcp-client $R 443"; }
openvpn-tls-auth()     { openvpns openvpn-tls-auth udp "--proto udp --tls-auth ta.key 0" "--proto udp $R 1194 --tls-auth ta.key 1"; }
openvpn-tls-auth-256() { openvpns openvpn-tls-auth-256 udp "--proto udp --auth SHA256 --tls-auth ta.key 0" "--proto udp $R 1194 --auth SHA256 --tls-auth ta.key 1"; }
openvpn-tls-crypt()    { openvpns openvpn-tls-crypt udp "--proto udp --tls-crypt ta.key" "--proto udp $R 1194 --tls-crypt ta.key"; }
openvpn-tls-crypt-v2() { openvpns openvpn-tls-crypt-v2 udp "--proto udp --tls-crypt-v2 tc2s.key" "--proto udp $R 1194 --tls-crypt-v2 tc2c.key"; }
openvpn-tcp-tls-crypt() { openvpns openvpn-tcp-tls-crypt tcp "--proto tcp-server --port 443 --tls-crypt ta.key" "--proto tcp-client $R 443 --tls-crypt ta.key"; }

ikev2() {
  for e in s c; do cat > $e-strongswan.conf <<END
charon {
  load = random nonce openssl pem x509 pkcs1 pubkey hmac kdf sha1 sha2 aes gcm curve25519 vici kernel-libipsec kernel-netlink socket-default updown attr
  plugins { vici { socket = unix://$W/$e.vici } kernel-libipsec { allow_peer_ts = yes } }
  filelog { log { path = $W/$e-charon.log
     default = 1
     flush_line = yes } }
}
END
  done
  cat > s-swanctl.conf <<END
connections { lab { version = 2
  local_addrs = 203.0.113.5
  pools = p4
  proposals = aes128gcm16-prfsha256-curve25519
  local { auth = psk
   id = vpn.example }
  remote { auth = psk
   id = client.example }
  children { net { local_ts = 10.10.9.0/24
    esp_proposals = aes128gcm16-curve25519 } } } }
pools { p4 { addrs = 10.10.0.0/24 } }
secrets { ike-1 { id = client.example
  secret = "lab-psk-0123456789" } }
END
  cat > c-swanctl.conf <<END
connections { lab { version = 2
  remote_addrs = 203.0.113.5
  vips = 0.0.0.0
  proposals = aes128gcm16-prfsha256-curve25519
  encap = yes
  local { auth = psk
   id = client.example }
  remote { auth = psk
   id = vpn.example }
  children { net { remote_ts = 10.10.9.0/24
    esp_proposals = aes128gcm16-curve25519 } } } }
secrets { ike-1 { id = vpn.example
  secret = "lab-psk-0123456789" } }
END
  $S ip addr add 10.10.9.1/32 dev lo
  begin ikev2 udp
  $S unshare -m sh -c "mount -t tmpfs tmpfs /run; exec env STRONGSWAN_CONF=$W/s-strongswan.conf /usr/lib/ipsec/charon" >s.log 2>&1 &
  $C unshare -m sh -c "mount -t tmpfs tmpfs /run; exec env STRONGSWAN_CONF=$W/c-strongswan.conf /usr/lib/ipsec/charon" >c.log 2>&1 & sleep 1.5
  $S swanctl --load-all --noprompt --uri unix://$W/s.vici --file s-swanctl.conf >>s.log 2>&1
  $C swanctl --load-all --noprompt --uri unix://$W/c.vici --file c-swanctl.conf >>c.log 2>&1
  $C swanctl --initiate --child net --uri unix://$W/c.vici >>c.log 2>&1
  ready 10.10.9.1 6; end ikev2 14; }

ssh() {
  ssh-keygen -q -t ed25519 -N '' -f host.key; mkdir -p /run/sshd
  begin ssh tcp
  $S /usr/sbin/sshd -D -e -f /dev/null -h "$W/host.key" -p 22 -o ListenAddress=203.0.113.5 -o PidFile=none >s.log 2>&1 & sleep .5
  $C /usr/bin/ssh -F /dev/null -o BatchMode=yes -o IdentityAgent=none -o IdentityFile=/dev/null -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null nobody@203.0.113.5 true >c.log 2>&1
  end ssh 12; }

dtls_of() { # NAME "SERVER'S WORDS" "CLIENT'S WORDS"
  begin "$1" udp
  $S openssl s_server -dtls1_2 -accept 203.0.113.5:4433 -cert server.crt -key server.key $2 </dev/zero >s.log 2>&1 & sleep .5
  (sleep 1; echo hello; sleep .5) | $C openssl s_client -dtls1_2 -connect 203.0.113.5:4433 -servername blocked.example $3 >c.log 2>&1
  end "$1" 12; }
dtls()           { dtls_of dtls "" ""; }
dtls-cookie()    { dtls_of dtls-cookie "-listen" "-alpn h2,http/1.1"; }
dtls-fragments() { dtls_of dtls-fragments "" "-mtu 256 -alpn $(seq -s , 10000 10040)"; }

anyconnect() {
  echo labpass | ocpasswd -c passwd labuser
  cat > ocserv.conf <<END
auth = "plain[passwd=$W/passwd]"
listen-host = 203.0.113.5
tcp-port = 443
udp-port = 443
run-as-user = nobody
run-as-group = nogroup
socket-file = $W/ocserv.sock
server-cert = $W/server.crt
server-key = $W/server.key
isolate-workers = false
max-clients = 8
max-same-clients = 8
device = vpndoc
ipv4-network = 10.12.0.0
ipv4-netmask = 255.255.255.0
keepalive = 60
try-mtu-discovery = false
cisco-client-compat = true
dtls-legacy = true
END
  printf '#!/bin/sh\n[ "$reason" = connect ] && { ip addr add $INTERNAL_IP4_ADDRESS/32 dev $TUNDEV; ip link set $TUNDEV up mtu 1300; ip route replace 10.12.0.1/32 dev $TUNDEV; }\nexit 0\n' > vpnc.sh; chmod +x vpnc.sh; chmod 755 "$W"
  begin anyconnect "udp"
  $S ocserv -f -c ocserv.conf >s.log 2>&1 & sleep 1
  echo labpass | $C openconnect --user labuser --passwd-on-stdin --cafile ca.crt --script "$W/vpnc.sh" --interface vpndoc0 --non-inter https://203.0.113.5:443 >c.log 2>&1 &
  ready 10.12.0.1 6; end anyconnect 6; }

shadowsocks() {
  mkdir -p www; echo hello > www/index.html
  begin shadowsocks "tcp port 8388"
  $S python3 -m http.server -b 203.0.113.5 -d www 80 >w.log 2>&1 &
  $S ss-server -s 203.0.113.5 -p 8388 -k lab -m chacha20-ietf-poly1305 >s.log 2>&1 &
  $C ss-local -s 203.0.113.5 -p 8388 -l 1080 -k lab -m chacha20-ietf-poly1305 >c.log 2>&1 & sleep 1
  for _ in 1 2 3; do $C curl -s --max-time 5 --socks5-hostname 127.0.0.1:1080 http://203.0.113.5/; done; end shadowsocks 40; }

openvpn_keys
for one in "${@:-}"; do
  if [ -n "$one" ]; then $one; else
    for every in wireguard openvpn-udp openvpn-tcp openvpn-tls-auth openvpn-tls-auth-256 openvpn-tls-crypt openvpn-tls-crypt-v2 \
      openvpn-tcp-tls-crypt ikev2 ssh dtls dtls-cookie dtls-fragments anyconnect shadowsocks; do $every; done
  fi
done
ls -l "$HERE"/*.pcap
