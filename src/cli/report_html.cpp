#include "cli/report_html.hpp"

#include <fmt/format.h>

#include "cli/html.hpp"

namespace ito::cli {

std::string table_row(const std::vector<std::string>& cells, const char* attributes) {
  std::string text = fmt::format("<tr{}>", attributes);
  for (std::size_t i = 0; i < cells.size(); ++i)
    text += fmt::format("<td{}>{}</td>", i > 0 ? " class=\"number\"" : "", escaped(cells[i]));
  return text + "</tr>\n";
}

std::string table_html(const std::vector<std::string>& header, const std::string& rows) {
  std::string head;
  for (std::size_t i = 0; i < header.size(); ++i)
    head += fmt::format("<th{}>{}</th>", i > 0 ? " class=\"number\"" : "", escaped(header[i]));
  return fmt::format(
      "<div class=\"wide\"><table><thead><tr>{}</tr></thead><tbody>\n{}</tbody></table></div>\n",
      head, rows);
}

std::string figure_html(const Figure& figure) {
  std::string panels;
  for (const Figure::Panel& panel : figure.panels)
    panels += embedded(panel.picture, panel.description) + "\n";
  return fmt::format(
      "<h2>{}</h2>\n<figure><div class=\"panels\">\n{}</div><figcaption>{}</figcaption></figure>\n",
      escaped(figure.title), panels, escaped(figure.caption));
}

std::string page_head(const std::string& title, const std::string& heading,
                      const std::string& subtitle) {
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>{}</title>\n<style>{}</style></head><body>\n"
      "<h1>{}</h1>\n<p class=\"subtitle\">{}</p>\n",
      escaped(title), style_sheet(), escaped(heading), escaped(subtitle));
}

}  // namespace ito::cli
