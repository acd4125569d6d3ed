#include "base/root_only.h"

#include <limits.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>

#include <fmt/core.h>

namespace root_only {
namespace {

// The limit of the kernel, path_resolution(7).
constexpr int kMaxLinks = 40;

std::optional<std::string> complaint(const std::string& path, const struct stat& status) {
  if (status.st_uid != 0) return path + " does not belong to root";
  if (!is(status)) return "others than root can write to " + path;
  return std::nullopt;
}

std::deque<std::string> parts_of(const std::string& path) {
  std::deque<std::string> parts;
  for (std::size_t begin = 0; begin < path.size();) {
    const auto end = std::min(path.find('/', begin), path.size());
    if (end > begin) parts.push_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::string link_target(const std::string& link) {
  char text[PATH_MAX];
  const ssize_t length = ::readlink(link.c_str(), text, sizeof text);
  return {text, length > 0 ? static_cast<std::size_t>(length) : 0};
}

// Walks a path as the kernel does. `at` is a directory without a link in it.
class Way {
 public:
  explicit Way(const std::string& path) : left_(parts_of(path)) {}

  // Absent: it was walked to its end.
  std::optional<std::string> walk() {
    while (!left_.empty()) {
      if (auto wrong = root_only::complaint(shown())) return wrong;
      const std::string part = std::move(left_.front());
      left_.pop_front();
      if (auto wrong = take(part)) return wrong;
    }
    return std::nullopt;
  }

 private:
  std::string shown() const { return at_.empty() ? "/" : at_; }

  std::optional<std::string> take(const std::string& part) {
    if (part == ".") return std::nullopt;
    if (part == "..") {
      at_.resize(at_.empty() ? 0 : at_.rfind('/'));
      return std::nullopt;
    }
    const std::string next = at_ + "/" + part;
    struct stat status {};
    if (::lstat(next.c_str(), &status) != 0) {
      if (errno == ENOENT && left_.empty()) return std::nullopt;
      return errno == ENOENT ? next + " is missing" : fmt::format("{}: {}", next, std::strerror(errno));
    }
    if (!S_ISLNK(status.st_mode)) at_ = next;
    else return follow(next);
    return std::nullopt;
  }

  std::optional<std::string> follow(const std::string& link) {
    const std::string target = link_target(link);
    if (target.empty() || ++links_ > kMaxLinks) return link + " is a link that leads nowhere";
    if (target.front() == '/') at_.clear();
    const auto parts = parts_of(target);
    left_.insert(left_.begin(), parts.begin(), parts.end());
    return std::nullopt;
  }

  std::string at_;  // empty: the root
  std::deque<std::string> left_;
  int links_ = 0;
};

}  // namespace

bool is(const struct stat& status) { return status.st_uid == 0 && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0; }

std::optional<std::string> complaint(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    return errno == ENOENT ? path + " is missing" : fmt::format("{}: {}", path, std::strerror(errno));
  }
  return complaint(path, status);
}

std::optional<std::string> way_complaint(const std::string& path) { return Way(path).walk(); }

}  // namespace root_only
