#!/bin/bash
# credentials.py for a server that squashes: what it needs is made on the server's side first.
on-server 'mkdir p closed; chmod 1777 p; chmod 700 closed; chown 1001 closed
  echo secret > secret; chown 1001:1001 secret; chmod 600 secret
  echo group > group; chgrp 4321 group; chmod 640 group
  echo root > rootgroup; chmod 640 rootgroup' || exit 125
exec "$(dirname "$0")/credentials.py" "$1"
