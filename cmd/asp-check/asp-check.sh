#!/bin/sh
# asp-check.sh: the doctor's conditions that concern ways around the restricted shell, in the
# form of the guide; asp-check.sh(8).
exec /opt/aspera/proxy/bin/asperaproxy audit "$@"
