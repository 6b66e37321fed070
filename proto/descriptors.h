/* The serialized google.protobuf.FileDescriptorSet of every .proto file of this folder and of what
 * they import, embedded by the build: for server reflection, and for the role that each method's
 * option names. */
#ifndef ACKD_PROTO_DESCRIPTORS_H
#define ACKD_PROTO_DESCRIPTORS_H

#include <stddef.h>
#include <stdint.h>

extern const uint8_t ackd_descriptor_set[];
extern const size_t ackd_descriptor_set_length;

#endif
