// config/log_place: where lines go, as aspera.conf says.
#pragma once

namespace config {
struct Rproxy;
}  // namespace config

namespace config::log_place {

// Puts <log_level> and <log_directory> into force. For programs of root's; what runs as a user logs to syslog.
void follow(const config::Rproxy& rproxy);

// Does the same with the installed aspera.conf. For programs that have not read it: an early failure belongs where the
// sessions are logged. Without the file, or with a wrong one, nothing changes; other programs report what is wrong
// with it.
void follow();

}  // namespace config::log_place
