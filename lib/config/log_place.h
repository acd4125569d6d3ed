// config/log_place: where lines go, as aspera.conf says.
#pragma once

namespace config {
enum class Author;
struct Rproxy;
}  // namespace config

namespace config::log_place {

// Puts <log_level> and <log_directory> into force.
void follow(const config::Rproxy& rproxy);

// Does the same with the installed aspera.conf. For programs that have not read it, or cannot: an
// early failure belongs where the sessions are logged. Without the file, or with a wrong one, nothing
// changes; other programs report what is wrong with it.
void follow(config::Author author);

// Calls log_file::prepare() for <log_directory>. For root. Failure{71}.
void prepare();

}  // namespace config::log_place
