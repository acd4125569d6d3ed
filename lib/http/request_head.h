// http/request_head: whether the head of a request can be understood in one way only. A program in
// front of us (a proxy, a filter) may read what is ambiguous in the other way; RFC 9112 2.2, 3, 5, 6,
// 11.2. Pure.
//
//   POST /proxy/leases HTTP/1.1     one method, one path, one version
//   Host: proxy:9091                once
//   Content-Length: 31              once; or Transfer-Encoding: chunked, once
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace request_head {

struct Head {
  std::string_view method;
  std::string_view path;  // without a query
  std::string_view version;
  std::vector<std::pair<std::string_view, std::string_view>> headers;  // as they came, each as often as it came
};

// One sentence for the client, which says what is wrong; empty: nothing is.
std::string fault(const Head& head);

// True if nothing but the separators of RFC 9112 stands between the parts of `head`: no NUL, no line that
// is folded, none that ends with anything but CR LF. `raw` is where the parts lie, with NULs in the place of
// separators, as libmicrohttpd leaves it.
bool is_plain(const Head& head, std::string_view raw);

}  // namespace request_head
