/* The option bytes of a TCP header as text. */
#ifndef ACKCTL_TCPOPTS_H
#define ACKCTL_TCPOPTS_H

#include <stddef.h>
#include <stdint.h>

#define TCPOPTS_TEXT 512

/* "mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7", as packetdrill writes and reads them. SACK blocks
 * are shown relative to `sack_base`. What follows an illegal length is shown as bytes. Returns
 * text. */
char *tcpopts_format(const uint8_t *bytes, size_t length, uint32_t sack_base,
                     char text[TCPOPTS_TEXT]);

#endif
