// unit: asperaproxy.service, which stands for the proxy where systemd(1) is process 1.
#pragma once

namespace asperaproxy::unit {

constexpr char kSystemctl[] = "/usr/bin/systemctl";

// True where systemd is process 1.
bool runs_here();

// Has systemd take note of what was just done here: `verb` is start or stop, and the unit's own run of it finds nothing
// left to do. The node service goes with the unit. Nothing happens where systemd does not run, has no such unit, or
// runs us for it. What takes it longer than 10 s it does without us. Failure{71}: systemd and the proxy do not say the
// same now.
void follow(const char* verb);

}  // namespace asperaproxy::unit
