#include "resp.h"

#include <charconv>
#include <utility>

#include <fmt/core.h>

#include "base/failure.h"

namespace resp {
namespace {

using redis::Reply;

constexpr std::string_view kEnd = "\r\n";
constexpr std::size_t kMaxLine = 4096;  // errors, too, are one line

[[noreturn]] void fail(const char* why) {
  throw tool::Failure(tool::temporary, fmt::format("ask Redis: its answer {}", why));
}

long long number_in(std::string_view text) {
  long long number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) fail("has no number where one belongs");
  return number;
}

// -1 stands for a value that is missing.
std::optional<std::size_t> size_in(std::string_view text, std::size_t most) {
  const long long size = number_in(text);
  if (size == -1) return std::nullopt;
  if (size < 0 || static_cast<unsigned long long>(size) > most) fail("is too large");
  return static_cast<std::size_t>(size);
}

}  // namespace

std::string command(const std::vector<std::string>& words) {
  std::string text = fmt::format("*{}\r\n", words.size());
  for (const auto& word : words) text += fmt::format("${}\r\n", word.size()) + word + "\r\n";
  return text;
}

void Parser::add(std::string_view bytes) {
  bytes_ += bytes.size();
  if (bytes_ > kMaxBytes) fail("is too large");
  held_.erase(0, std::exchange(at_, 0));
  held_ += bytes;
}

std::optional<Answer> Parser::pop() {
  while (!done_ && step()) {
  }
  return std::exchange(done_, std::nullopt);
}

// Absent: its end has not arrived yet.
std::optional<std::string_view> Parser::line() {
  const std::size_t end = held_.find(kEnd, at_);
  if ((end == held_.npos ? held_.size() : end) - at_ > kMaxLine) fail("has a line that is too long");
  if (end == held_.npos) return std::nullopt;
  return std::string_view(held_).substr(at_, end - at_);
}

// Reads one value, or the head of a list. False: it has not arrived as a whole.
bool Parser::step() {
  const auto head = line();
  if (!head) return false;
  if (head->empty()) fail("is not Redis'");
  const std::string_view rest = head->substr(1);
  std::size_t next = at_ + head->size() + kEnd.size();
  switch (head->front()) {
    case '+': put(Reply(std::string(rest))); break;
    case '-':
      if (!open_.empty()) fail("has an error in a list");
      done_ = Error{std::string(rest)};
      break;
    case ':': put(Reply(number_in(rest))); break;
    case '$': {
      const auto size = size_in(rest, kMaxBytes);
      if (!size) {
        put(Reply());
        break;
      }
      if (held_.size() - next < *size + kEnd.size()) return false;
      if (held_.compare(next + *size, kEnd.size(), kEnd) != 0) fail("is longer than it says");
      put(Reply(held_.substr(next, *size)));
      next += *size + kEnd.size();
      break;
    }
    case '*': {
      const auto size = size_in(rest, kMaxElements);
      if (!size) put(Reply());
      else if (open_.size() == kMaxDepth) fail("is too deep");
      else if (*size == 0) put(Reply(Reply::Array{}));
      else count_element(), open_.push_back({{}, *size});
      break;
    }
    default: fail("is not Redis'");
  }
  at_ = next;
  return true;
}

void Parser::count_element() {
  if (++elements_ > kMaxElements) fail("is too large");
}

// Completes the list that the reply is the last of, and then the list that this is the last of.
void Parser::put(Reply reply) {
  count_element();
  while (!open_.empty()) {
    Open& list = open_.back();
    list.items.push_back(std::move(reply));
    if (--list.missing > 0) return;
    reply = Reply(std::move(list.items));
    open_.pop_back();
  }
  done_ = std::move(reply);
}

}  // namespace resp
