// base/log_file: ascp_rproxy.log in <log_directory>, to which sessions of different
// users append at the same time.
//
//   Dec  5 17:32:11 test1 ascp_rproxy[26250]: LOG Connection closed (EOF) ...
//
// It is root:sallyport 0620, so that sessions can add to it and not read it. It is
// append-only (chattr +a) where the file system can, so that they cannot truncate
// it either. Each line is one write(2) on an O_APPEND descriptor of its own, so lines
// never mix, and they follow the file's name after a rotation.
#pragma once

#include <ctime>
#include <string>

namespace log_file {

constexpr char kName[] = "ascp_rproxy.log";

// The limit of a line with its newline; a longer one is cut, and says so.
constexpr std::size_t kMaxLine = 4096;

// Formats one line, with its newline. `text` has no control characters.
std::string line(std::time_t now, const std::string& ident, const std::string& text);

// Appends `line`. Returns an empty text, or the reason why it failed. The directory must belong to
// root and be writable by nobody else; the file must be a regular one of root's that not everybody may
// write to.
std::string append(const std::string& directory, const std::string& line);

// Makes directory and file where they are missing, and corrects owner and mode of the file. For root.
// Does nothing when `directory` is empty. If somebody cleared the append-only flag it stays off, since
// rotation would fail otherwise. Failure{71}.
void prepare(const std::string& directory);

}  // namespace log_file
