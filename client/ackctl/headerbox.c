/* RFC 9293 section 3.1, figure 1: 32 bits a row, two columns a bit. The fourth reserved bit is AE
 * (RFC 9768). */
#include "headerbox.h"

#include <inttypes.h>
#include <string.h>
#include "tcpopts.h"

static const char ruler[] = "+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+\n";

/* `text` in the middle of `bits` columns of bits. */
static void cell(FILE *out, unsigned bits, const char *text)
{
    int width = (int)bits * 2 - 1, length = (int)strlen(text);
    int left = (width - length) / 2;
    fprintf(out, "%*s%s%*s|", left > 0 ? left : 0, "", text,
            width - length - left > 0 ? width - length - left : 0, "");
}

static void row2(FILE *out, const char *left, const char *right)
{
    putc('|', out);
    cell(out, 16, left);
    cell(out, 16, right);
    putc('\n', out);
}

static void row1(FILE *out, const char *text)
{
    putc('|', out);
    cell(out, 32, text);
    putc('\n', out);
}

static void number_row(FILE *out, const char *name, uint32_t value, uint32_t base)
{
    char text[64];
    snprintf(text, sizeof text, "%" PRIu32 " (relative %" PRIu32 ")", value, value - base);
    if (!base) {
        snprintf(text, sizeof text, "%" PRIu32, value);
    }
    row1(out, name);
    row1(out, text);
    fputs(ruler, out);
}

static void flags_row(FILE *out, const struct ackd_header *h)
{
    char offset[8], reserved[8], window[8];
    const bool flags[] = {h->ae, h->cwr, h->ece, h->urg, h->ack, h->psh, h->rst, h->syn, h->fin};
    fputs("|  Data |     |A|C|E|U|A|P|R|S|F|                               |\n"
          "| Offset| Rsrv|E|W|C|R|C|S|S|Y|I|            Window             |\n"
          "|       |     | |R|E|G|K|H|T|N|N|                               |\n|",
          out);
    snprintf(offset, sizeof offset, "%u", h->data_offset_words);
    snprintf(reserved, sizeof reserved, "%u", h->reserved_bits);
    snprintf(window, sizeof window, "%u", h->window);
    cell(out, 4, offset);
    cell(out, 3, reserved);
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        cell(out, 1, flags[i] ? "1" : "0");
    }
    cell(out, 16, window);
    fprintf(out, "\n%s", ruler);
}

void headerbox_print(FILE *out, const struct ackd_header *h, uint32_t seq_base, uint32_t ack_base)
{
    char left[24], right[16], options[TCPOPTS_TEXT];
    fputs(" 0                   1                   2                   3\n"
          " 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1\n",
          out);
    fputs(ruler, out);
    row2(out, "Source Port", "Destination Port");
    snprintf(left, sizeof left, "%u", h->source_port);
    snprintf(right, sizeof right, "%u", h->destination_port);
    row2(out, left, right);
    fputs(ruler, out);
    number_row(out, "Sequence Number", h->sequence_number, seq_base);
    number_row(out, "Acknowledgment Number", h->acknowledgment_number, h->ack ? ack_base : 0);
    flags_row(out, h);
    row2(out, "Checksum", "Urgent Pointer");
    snprintf(left, sizeof left, "0x%04x%s", h->checksum, h->checksum_partial ? " (partial)" : "");
    snprintf(right, sizeof right, "%u", h->urgent_pointer);
    row2(out, left, right);
    fputs(ruler, out);
    for (unsigned i = 0; i + 4 <= h->options_length; i += 4) {
        char bytes[32];
        snprintf(bytes, sizeof bytes, "%02x  %02x  %02x  %02x", h->options[i], h->options[i + 1],
                 h->options[i + 2], h->options[i + 3]);
        row1(out, bytes);
    }
    if (h->options_length) {
        fputs(ruler, out);
    }
    fprintf(out, "offset %u (%u bytes)\n", h->data_offset_words, h->data_offset_words * 4u);
    if (h->options_length) {
        fprintf(out, "options <%s>\n",
                tcpopts_format(h->options, h->options_length, ack_base, options));
    }
}
