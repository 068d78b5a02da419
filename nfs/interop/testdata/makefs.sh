#!/bin/bash
# Makes a file system in an image. mkfs.btrfs fails when a loop device in the table of mounts vanishes while it
# looks there, as other guests' do: then it is run again.
# usage: makefs.sh ext4|xfs|btrfs IMAGE
case $1 in
  ext4) mkfs=(mkfs.ext4 -q -F -m0) ;;
  xfs) mkfs=(mkfs.xfs -q -f) ;;
  btrfs) mkfs=(mkfs.btrfs -q -f) ;;
  *) echo "unknown file system $1"; exit 2 ;;
esac
for _ in {1..100}; do
  said=$("${mkfs[@]}" "$2" 2>&1) && exit 0
  [[ $said = *'cannot check mount status'* ]] || break
  sleep 0.05
done
echo "$said" >&2
exit 1
