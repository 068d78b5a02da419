#!/bin/bash
# Servers inside the guest, one scene after the other; their clients are outside (ackclient.sh) or beside them.
# usage: ack.sh SCENE...     each is described by the file $SHARE/SCENE, which sets
#   netem   what happens to the packets that leave the guest
#   server  command of a server on port 2049 that serves /tmp/served
#   inside  command of a client in the guest; without it, the one outside does its work now
# What comes of it is SCENE.log, what the server said, and SCENE.net, the guest's TCP counters.
export LC_ALL=C
mkdir -p /tmp/served /tmp/state
modprobe sch_netem
# Windows that begin wide: a round trip takes long, and the scenes are short.
ip route replace 10.111.0.0/24 dev vec0 src 10.111.0.101 initcwnd 100
failed=0
exec {idle}<> /run/idle # the server shall have the processor: a pause starts no program
scene() {
  local name=$1 netem='' server='' inside='' log=/tmp/$1.log pid e
  . "$SHARE/$name"
  tc qdisc del dev vec0 root 2> /tmp/tc
  [ -z "$netem" ] || tc qdisc add dev vec0 root netem limit 100000 $netem || return 1
  bash -c "exec $server" > "$log" 2>&1 & pid=$!
  e=$((SECONDS+120))
  until (exec 3<> /dev/tcp/127.0.0.1/2049) 2> /dev/null; do [ $SECONDS -lt $e ] && kill -0 $pid || { cp "$log" "$SHARE/"; return 1; }; read -rt 0.1 -u $idle; done
  if [ -n "$inside" ]; then
    timeout 900 bash -c "$inside" > /tmp/$name.out 2>&1; echo $? > /tmp/$name.rc; cp /tmp/$name.{out,rc} "$SHARE/"
  else
    : > "$SHARE/$name.go"
    e=$((SECONDS+900)); until [ -e "$SHARE/$name.done" ]; do [ $SECONDS -lt $e ] || break; read -rt 0.1 -u $idle; done
  fi
  tc qdisc del dev vec0 root 2> /tmp/tc
  grep '^Tcp:' /proc/net/snmp > "$SHARE/$name.net"
  # The client left while replies were on their way: their notifications come later on a busy machine.
  for _ in {1..100}; do
    kill -USR1 $pid; read -rt 0.3 -u $idle
    grep -q '\blane .* pinned=0 ' "$log" && break
    [[ $server != *RINGNFS_TEST_SERVE* ]] || break # that one says it at its end
  done
  kill -TERM $pid; wait $pid; echo "exit $?" >> "$log"
  cp "$log" "$SHARE/"; sync -f "$SHARE"
}
for s; do
  if scene "$s" 2> /tmp/why; then echo "PASS $s"; else echo "FAIL $s"; sed 's/^/  /' /tmp/why "/tmp/$s.log"; failed=1; fi
done
exit $failed
