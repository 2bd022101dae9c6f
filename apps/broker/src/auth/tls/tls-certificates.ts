import { Injectable } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import type { TlsFiles, TlsSettings } from '../../config/tls';
import type { Logger } from '../../logger';

/** The certificate, its key and the trusted authorities, as their files have them. */
@Injectable()
export class TlsCertificates {
  #files: TlsFiles;
  #changed: (files: TlsFiles, before: TlsFiles) => void = () => undefined;

  constructor(
    readonly settings: TlsSettings,
    private readonly logger: Logger,
  ) {
    this.#files = settings.read();
  }

  get files(): TlsFiles {
    return this.#files;
  }

  onChange(listener: (files: TlsFiles, before: TlsFiles) => void): void {
    this.#changed = listener;
  }

  /** Whoever replaces certificates replaces several files: until they fit together, those from before go on. */
  @Interval(10_000)
  reload(): void {
    const before = this.#files;
    try {
      const files = this.settings.read();
      if (files.cert === before.cert && files.key === before.key && files.ca === before.ca) return;
      this.#files = files;
      this.#changed(files, before);
      this.logger.info('the TLS certificate, or whom it trusts, was replaced');
    } catch (error) {
      this.logger.error({ err: error }, 'the TLS files cannot be used; those from before go on');
    }
  }
}
